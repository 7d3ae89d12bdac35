//! Metadata in formats without nesting: `age__list_0__map_enc` names the field `enc` of the first
//! item of `age`.

use std::collections::BTreeMap;

use crate::base::material::Node;

use super::error::SopsError;

/// Most steps of one name; the deepest field of the metadata takes five.
const MAX_STEPS: usize = 16;

/// The tree of flat names.
pub(super) fn unfold(entries: Vec<(String, Node)>) -> Result<Node, SopsError> {
    let mut root = Branch::default();
    for (name, node) in entries {
        let steps = steps(&name).ok_or(SopsError::Metadata("sops"))?;
        root.place(&steps, node)
            .ok_or(SopsError::Metadata("sops"))?;
    }
    root.node().ok_or(SopsError::Metadata("sops"))
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Key(String),
    Index(usize),
}

fn steps(name: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let (first, mut rest) = split(name);
    steps.push(Step::Key(first.to_owned()));
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("__map_") {
            let (key, more) = split(after);
            steps.push(Step::Key(key.to_owned()));
            rest = more;
        } else {
            let (index, more) = split(rest.strip_prefix("__list_")?);
            steps.push(Step::Index(index.parse().ok()?));
            rest = more;
        }
        if steps.len() > MAX_STEPS {
            return None;
        }
    }
    Some(steps)
}

/// Splits a text before its next step.
fn split(text: &str) -> (&str, &str) {
    let at = ["__map_", "__list_"]
        .iter()
        .filter_map(|mark| text.find(mark))
        .min()
        .unwrap_or(text.len());
    text.split_at(at)
}

#[derive(Default)]
struct Branch {
    leaf: Option<Node>,
    below: BTreeMap<Step, Branch>,
}

impl Branch {
    fn place(&mut self, steps: &[Step], node: Node) -> Option<()> {
        let mut branch = self;
        for step in steps {
            let step = match step {
                Step::Key(key) => Step::Key(key.clone()),
                Step::Index(index) => Step::Index(*index),
            };
            branch = branch.below.entry(step).or_default();
        }
        branch.leaf.replace(node).is_none().then_some(())
    }

    /// `None` when the branch is of two kinds at once, or a list with gaps.
    fn node(self) -> Option<Node> {
        if let Some(leaf) = self.leaf {
            return self.below.is_empty().then_some(leaf);
        }
        let mut entries = Vec::new();
        let mut items = Vec::new();
        for (step, branch) in self.below {
            match step {
                Step::Key(key) => entries.push((key, branch.node()?)),
                Step::Index(index) if index == items.len() => items.push(branch.node()?),
                Step::Index(_) => return None,
            }
        }
        match (entries.is_empty(), items.is_empty()) {
            (_, true) => Some(Node::Map(entries)),
            (true, false) => Some(Node::List(items)),
            (false, false) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unfolded(names: &[&str]) -> Option<Node> {
        let entries = names
            .iter()
            .map(|name| ((*name).to_owned(), Node::text("x")));
        unfold(entries.collect()).ok()
    }

    #[test]
    fn names_become_a_tree() {
        let map = |key: &str, node| Node::Map(vec![(key.to_owned(), node)]);
        let enc = || map("enc", Node::text("x"));
        assert_eq!(unfolded(&["mac"]), Some(map("mac", Node::text("x"))));
        assert_eq!(
            unfolded(&["age__list_1__map_enc", "age__list_0__map_enc"]),
            Some(map("age", Node::List(vec![enc(), enc()])))
        );
    }

    #[test]
    fn names_that_contradict_each_other_are_refused() {
        for names in [
            &["a", "a"][..],
            &["a", "a__map_b"],
            &["a__map_b", "a__list_0"],
            &["a__list_1"],
            &["a__list_x"],
            &["a__list_0", "a__list_2"],
            &[&"a__map_b".repeat(20)],
        ] {
            assert_eq!(unfolded(names), None, "{names:?}");
        }
    }
}
