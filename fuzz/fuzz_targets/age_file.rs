//! An age file, binary or armored.

#![no_main]

#[path = "../../tests/it/random_inputs/judges.rs"]
#[allow(dead_code, reason = "each target uses its own judge")]
mod judges;

#[path = "../sow.rs"]
mod sow;

libfuzzer_sys::fuzz_target!(init: sow::sow("age_file", (judges::AGE_FILE.seeds)()), |input: &[u8]| {
    (judges::AGE_FILE.judge)(input);
});
