//! What must be compiled for speed. The rest of keyferry is compiled for size: see the profiles in
//! `Cargo.toml`.
//!
//! The compiler compiles generic code where it is called, not in its library. So this package calls
//! each generic library that must be fast for the one concrete type that keyferry needs. A function
//! that is inlined would be compiled with its caller, for size: hence `inline(never)`.

pub mod gcm;
pub mod text;
pub mod yaml;
