"""What people look at: tables, pictures and films."""
