"""PostgreSQL: SQL files with a sentence above each statement, and one small class for each group of statements."""
