//! A plain YAML document, and the same as a SOPS file.

#![no_main]

#[path = "../../tests/it/random_inputs/judges.rs"]
#[allow(dead_code, reason = "each target uses its own judge")]
mod judges;

#[path = "../sow.rs"]
mod sow;

libfuzzer_sys::fuzz_target!(init: sow::sow("yaml", (judges::YAML.seeds)()), |input: &[u8]| {
    (judges::YAML.judge)(input);
});
