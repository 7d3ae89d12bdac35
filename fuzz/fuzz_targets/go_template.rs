//! A Go template of a SealedSecret.

#![no_main]

#[path = "../../tests/it/random_inputs/judges.rs"]
#[allow(dead_code, reason = "each target uses its own judge")]
mod judges;

#[path = "../sow.rs"]
mod sow;

libfuzzer_sys::fuzz_target!(init: sow::sow("go_template", (judges::GO_TEMPLATE.seeds)()), |input: &[u8]| {
    (judges::GO_TEMPLATE.judge)(input);
});
