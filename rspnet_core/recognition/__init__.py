"""Action recognition: what a fine-tuned network says of test videos, its scores and its report (Tables 1 to 3)."""
