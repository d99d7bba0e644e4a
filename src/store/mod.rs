//! The index over SQLite. (skeleton)
