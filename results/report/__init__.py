"""The report: finished results as one HTML page that needs no network. Start reading at ``site.py``."""
