"""What happens to money over time: periods, prorations, invoices, cards, and what the clock brings."""
