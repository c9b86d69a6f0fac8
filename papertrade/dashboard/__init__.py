"""The dashboard: server-rendered pages over the services and selectors, and a little JavaScript over the API."""
