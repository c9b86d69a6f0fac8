"""The ground: knows no table and imports nothing else of the project; anyone may import it."""
