"""Sign in, sign out, change the password."""

from django.contrib.auth.views import LoginView, LogoutView, PasswordChangeView
from django.contrib.messages.views import SuccessMessageMixin
from django.urls import reverse_lazy

from papertrade.dashboard.forms import SignInForm


class SignIn(LoginView):
    form_class = SignInForm
    template_name = "dashboard/sign_in.html"
    redirect_authenticated_user = True


class SignOut(LogoutView):
    """POST only, as Django has it: a link on another site cannot sign anybody out."""


class ChangePassword(SuccessMessageMixin, PasswordChangeView):
    """Every other session of the user ends with the old password."""

    template_name = "dashboard/password.html"
    success_url = reverse_lazy("dashboard:accounts")
    success_message = "Your password was changed. Other sessions were signed out."
