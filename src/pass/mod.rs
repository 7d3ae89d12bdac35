//! The one path of a pass: read the sources, render, look at the targets, plan, write.

pub mod apply;
pub mod concurrency;
pub mod history;
pub mod observe;
pub mod outcome;
pub mod pipeline;
pub mod source;
pub mod world;
