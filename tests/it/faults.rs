//! docs/faults.md promises a behaviour for each fault. Each promise has tests that are named after
//! its row.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::tidy::rust_files;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Numbers of the rows; the table of exit codes stands before the first section.
fn rows() -> BTreeSet<u32> {
    let text = fs::read_to_string(root().join("docs/faults.md")).expect("the table is there");
    let sections = text.lines().skip_while(|line| !line.starts_with("## "));
    let first_cells = sections.filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    first_cells.filter_map(|cell| cell.parse().ok()).collect()
}

/// Numbers in the names of tests: `fn row_16_…`.
fn tested() -> BTreeSet<u32> {
    let files = ["src", "tests"].map(|folder| rust_files(&root().join(folder)));
    let texts = files
        .into_iter()
        .flatten()
        .map(|path| fs::read_to_string(path).expect("text"));
    let numbers = |text: String| -> Vec<u32> {
        let names = text.split("fn row_").skip(1);
        let digits = names.map(|name| name.split(|c: char| !c.is_ascii_digit()).next());
        digits.filter_map(|number| number?.parse().ok()).collect()
    };
    texts.flat_map(numbers).collect()
}

#[test]
fn each_row_has_a_test_and_each_test_a_row() {
    let (rows, tested) = (rows(), tested());
    let untested: Vec<_> = rows.difference(&tested).collect();
    let unknown: Vec<_> = tested.difference(&rows).collect();
    assert!(
        untested.is_empty(),
        "rows of docs/faults.md without a test: {untested:?}"
    );
    assert!(
        unknown.is_empty(),
        "tests whose row docs/faults.md does not have: {unknown:?}"
    );
}
