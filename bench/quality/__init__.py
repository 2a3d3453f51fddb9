"""A small judged set: short documents of eight fields, and questions with what answers them."""
