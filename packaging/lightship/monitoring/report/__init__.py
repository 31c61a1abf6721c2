"""The monitoring report: one HTML file with everything inside, for a reader who has never heard of drift."""
