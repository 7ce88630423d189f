"""Who holds which share of which device, who waits for one, and why a lease ended: decided here, written down before it is handed out."""
