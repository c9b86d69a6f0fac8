"""Live quotes: what a provider is (`protocol`), which symbols it streams (`allotment`), and one file a provider."""
