"""What people look at: tables, contact sheets, pages of visual words."""
