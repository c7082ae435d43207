"""What Fingerpost is measured against: the same work done as most would do it, or as little of it as can be done."""
