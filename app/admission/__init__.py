"""Who may ask for what, and how often: checked before any endpoint of the API proper."""
