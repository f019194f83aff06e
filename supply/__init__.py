"""What the images are made of, and what is known of it; no part of them itself."""
