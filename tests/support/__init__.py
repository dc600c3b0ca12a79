"""What several tests share: tiny models, jobs, stores, and checkouts of this repository."""
