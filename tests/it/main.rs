//! Everything that needs no server of others.
mod render;
