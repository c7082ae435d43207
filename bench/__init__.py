"""What Fingerpost's speed is measured with: each figure beside a baseline that ran in the same minutes."""
