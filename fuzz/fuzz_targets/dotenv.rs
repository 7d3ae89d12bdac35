//! A plain `.env` file.

#![no_main]

#[path = "../../tests/it/random_inputs/judges.rs"]
#[allow(dead_code, reason = "each target uses its own judge")]
mod judges;

#[path = "../sow.rs"]
mod sow;

libfuzzer_sys::fuzz_target!(init: sow::sow("dotenv", (judges::DOTENV.seeds)()), |input: &[u8]| {
    (judges::DOTENV.judge)(input);
});
