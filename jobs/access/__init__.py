"""Who may do what, and how much of the service they may have: tokens and quotas."""
