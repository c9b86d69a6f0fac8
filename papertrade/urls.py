"""Every address of the server."""

urlpatterns: list = []
