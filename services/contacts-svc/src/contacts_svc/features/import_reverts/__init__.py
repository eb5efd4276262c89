"""Taking an import back: what it created is deleted and what it changed is restored, unless somebody has changed it since."""
