//! The answers of keyferry that a document shows, compared with what it really says.

use std::fs;
use std::path::Path;

use super::run::{Output, unfolded};

/// The answers under "Three likely mistakes" in an example's README, in their order.
pub(crate) fn mistakes(example: &str) -> [String; 3] {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples")
        .join(example)
        .join("README.md");
    let text = fs::read_to_string(readme).expect("a README");
    let (_, below) = text
        .split_once("\n## Three likely mistakes\n")
        .expect("its mistakes");
    let blocks: Vec<String> = blocks(below, "text").collect();
    <[String; 3]>::try_from(blocks).unwrap_or_else(|blocks| panic!("not three: {blocks:?}"))
}

/// The fenced blocks of one language.
pub(crate) fn blocks(text: &str, language: &str) -> impl Iterator<Item = String> {
    let fence = format!("```{language}\n");
    let behind: Vec<&str> = text.split(fence.as_str()).skip(1).collect();
    let blocks = behind.into_iter().map(|rest| {
        let ends = |line: &&str| line.trim() == "```";
        let lines = rest.lines().take_while(|line| !ends(line));
        lines.collect::<Vec<_>>().join("\n")
    });
    blocks.collect::<Vec<_>>().into_iter()
}

/// keyferry said what the block shows, `…` standing for any text. Lines that begin with `$` are
/// what was typed.
#[track_caller]
pub(crate) fn answered(block: &str, output: &Output) {
    let typed = |line: &&str| line.starts_with("$ ");
    let shown: Vec<&str> = block.lines().filter(|line| !typed(line)).collect();
    let shown = on_one_line(&unfolded(&shown.join("\n")));
    let begins = shown.split(' ').next().unwrap_or_default();
    let all = if begins == "error:" {
        &output.stderr
    } else {
        &output.stdout
    };
    let said = match all.find(begins) {
        Some(at) => on_one_line(&all[at..]),
        None => String::new(),
    };
    assert!(
        fits(&shown, &said),
        "the page shows\n{shown}\nand keyferry says\n{}{}",
        output.stdout,
        output.stderr
    );
}

fn on_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn fits(shown: &str, said: &str) -> bool {
    let mut parts = shown.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = said.strip_prefix(first) else {
        return false;
    };
    let mut last = first;
    for part in parts {
        let Some((_, behind)) = rest.split_once(part) else {
            return false;
        };
        (rest, last) = (behind, part);
    }
    rest.is_empty() || (last.is_empty() && shown.ends_with('…'))
}
