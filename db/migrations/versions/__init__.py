"""One file a revision, applied in the order of `down_revision`. A revision that was released is never edited."""
