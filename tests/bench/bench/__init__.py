"""The benchmark: what is measured (cases), who is measured (subjects), and how it is told (report)."""
