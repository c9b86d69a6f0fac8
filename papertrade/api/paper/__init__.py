"""The paper accounts: /v1/paper/."""
