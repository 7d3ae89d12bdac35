//! Finds places that are equal or lie in one another, by looking up what holds each place, never by
//! comparing pairs.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

/// A place, or variables in it, that one target takes.
pub struct Claim<'a, K> {
    /// The place.
    pub at: K,
    /// All places that hold it.
    pub above: Vec<K>,
    /// `None`: the whole place with everything in it; else only these variables.
    pub variables: Option<Vec<&'a str>>,
}

/// The other claim that a claim overlaps.
#[derive(Debug, PartialEq, Eq)]
pub struct Met {
    /// The number of the other.
    pub number: usize,
    /// The variable that both claim, where both claim only variables of one place.
    pub variable: Option<String>,
}

/// Claims that were entered, by place.
pub struct Overlaps<K>(HashMap<K, Taken>);

impl<K> Default for Overlaps<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

/// The claims on one place, or on a part of it.
#[derive(Default)]
struct Taken {
    whole: Few,
    editors: Few,
    variables: BTreeMap<String, Few>,
    inside: Few,
}

impl<K: Hash + Eq + Clone> Overlaps<K> {
    /// Enters a claim. Numbers grow from claim to claim.
    pub fn enter(&mut self, number: usize, claim: &Claim<'_, K>) {
        for place in &claim.above {
            let holder = self.0.entry(place.clone()).or_default();
            holder.inside.add(number);
        }
        let taken = self.0.entry(claim.at.clone()).or_default();
        let Some(variables) = &claim.variables else {
            taken.whole.add(number);
            return;
        };
        taken.editors.add(number);
        for name in variables {
            let of = taken.variables.entry((*name).to_owned()).or_default();
            of.add(number);
        }
    }

    /// The first other claim that overlaps this one; its own number is skipped if it was entered.
    pub fn first(&self, number: usize, claim: &Claim<'_, K>) -> Option<Met> {
        let above = claim.above.iter().filter_map(|place| self.0.get(place));
        let above = above.flat_map(|taken| [&taken.whole, &taken.editors]);
        let mut met = above.filter_map(|few| few.other(number)).min();
        let mut variable = None;
        if let Some(taken) = self.0.get(&claim.at) {
            let whole = [&taken.whole, &taken.inside].map(|few| few.other(number));
            met = met.into_iter().chain(whole.into_iter().flatten()).min();
            let (editor, name) = match &claim.variables {
                None => (taken.editors.other(number), None),
                Some(variables) => match taken.sharing(number, variables) {
                    Some((editor, name)) => (Some(editor), Some(name)),
                    None => (None, None),
                },
            };
            if let Some(editor) = editor
                && met.is_none_or(|met| editor < met)
            {
                met = Some(editor);
                variable = name;
            }
        }
        met.map(|number| Met { number, variable })
    }
}

impl Taken {
    /// The first other editor of one of these variables, and the variable.
    fn sharing(&self, number: usize, variables: &[&str]) -> Option<(usize, String)> {
        let shared = variables.iter().filter_map(|name| {
            let other = self.variables.get(*name)?.other(number)?;
            Some((other, name))
        });
        // The editor that comes first, and the first variable shared with it.
        let (other, name) = shared.min_by_key(|(other, _)| *other)?;
        Some((other, (*name).to_owned()))
    }
}

/// The first two of many numbers: enough to know the first that differs from a given number.
#[derive(Default)]
struct Few([Option<usize>; 2]);

impl Few {
    fn add(&mut self, number: usize) {
        if self.0.contains(&Some(number)) {
            return;
        }
        if let Some(free) = self.0.iter_mut().find(|place| place.is_none()) {
            *free = Some(number);
        }
    }

    fn other(&self, than: usize) -> Option<usize> {
        let mut numbers = self.0.iter().flatten();
        numbers.find(|number| **number != than).copied()
    }
}

/// Numbers that belong together, directly or through others.
pub struct Unions(Vec<usize>);

impl Unions {
    /// This many numbers, each alone.
    pub fn new(count: usize) -> Self {
        Self((0..count).collect())
    }

    /// Joins the groups of two numbers.
    pub fn unite(&mut self, one: usize, other: usize) {
        let (one, other) = (self.first(one), self.first(other));
        self.0[one.max(other)] = one.min(other);
    }

    /// The lowest number in the group of this number.
    pub fn first(&mut self, mut number: usize) -> usize {
        while self.0[number] != number {
            self.0[number] = self.0[self.0[number]];
            number = self.0[number];
        }
        number
    }

    /// All groups, by their lowest numbers.
    pub fn groups(mut self) -> Vec<Vec<usize>> {
        let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for number in 0..self.0.len() {
            let first = self.first(number);
            groups.entry(first).or_default().push(number);
        }
        groups.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn claim<'a>(path: &'a str, variables: Option<&[&'a str]>) -> Claim<'a, &'a Path> {
        Claim {
            at: Path::new(path),
            above: Path::new(path).ancestors().skip(1).collect(),
            variables: variables.map(<[&str]>::to_vec),
        }
    }

    /// For each claim the number of the first claim that it overlaps, and the variable.
    fn met(claims: &[(&str, Option<&[&str]>)]) -> Vec<Option<(usize, Option<String>)>> {
        let claims = claims.iter().map(|(path, names)| claim(path, *names));
        let claims: Vec<_> = claims.collect();
        let mut all = Overlaps::default();
        for (number, claim) in claims.iter().enumerate() {
            all.enter(number, claim);
        }
        let met = claims.iter().enumerate().map(|(number, claim)| {
            let met = all.first(number, claim)?;
            Some((met.number, met.variable))
        });
        met.collect()
    }

    #[test]
    fn what_is_one_place_or_lies_in_another_meets() {
        let whole = |number| Some((number, None));
        assert_eq!(met(&[("a", None), ("b", None)]), [None, None]);
        assert_eq!(met(&[("a", None), ("ab", None)]), [None, None]);
        assert_eq!(met(&[("a", None), ("a", None)]), [whole(1), whole(0)]);
        assert_eq!(met(&[("a/b/c", None), ("a", None)]), [whole(1), whole(0)]);
        let three = [("a/x", None), ("a/y", None), ("a", None)];
        assert_eq!(met(&three), [whole(2), whole(2), whole(0)]);
        let editors: [(&str, Option<&[&str]>); 3] = [
            ("a", Some(&["A", "B"])),
            ("a", Some(&["C"])),
            ("a", Some(&["D", "B"])),
        ];
        let both = |number| Some((number, Some("B".to_owned())));
        assert_eq!(met(&editors), [both(2), None, both(0)]);
        let mixed: [(&str, Option<&[&str]>); 2] = [("a", Some(&["A"])), ("a", None)];
        assert_eq!(met(&mixed), [whole(1), whole(0)]);
    }

    #[test]
    fn numbers_are_united_through_others() {
        let mut unions = Unions::new(6);
        for (one, other) in [(4, 2), (5, 3), (2, 3)] {
            unions.unite(one, other);
        }
        assert_eq!(unions.first(5), 2);
        assert_eq!(unions.groups(), [vec![0], vec![1], vec![2, 3, 4, 5]]);
    }
}
