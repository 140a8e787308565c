"""What one family of tasks shares and no other needs. The core knows none of them: configs name their functions."""
