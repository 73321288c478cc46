"""Makes the project's two environments. Standard library only: it runs before anything is installed."""
