//! A list of patterns of an annotation: the first byte says whose they are.

#![no_main]

#[path = "../../tests/it/random_inputs/judges.rs"]
#[allow(dead_code, reason = "each target uses its own judge")]
mod judges;

#[path = "../sow.rs"]
mod sow;

libfuzzer_sys::fuzz_target!(init: sow::sow("patterns", (judges::PATTERNS.seeds)()), |input: &[u8]| {
    (judges::PATTERNS.judge)(input);
});
