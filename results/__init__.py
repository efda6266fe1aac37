"""What is concluded from scores: metrics, intervals, rows, leaderboards."""
