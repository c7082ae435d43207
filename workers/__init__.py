"""What runs out of sight: publishing, webhooks, and the scheduler that feeds them."""
