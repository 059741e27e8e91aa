"""How fast, and against what: one script a claim, each printing its ratio last. ``make bench`` runs them all."""
