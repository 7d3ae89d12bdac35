//! Files of other programs, read with care: regular files only, capped, never followed out of their folder.
