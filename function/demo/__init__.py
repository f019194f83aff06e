"""The demo model: labelled sentences and the script that trains and registers it."""
