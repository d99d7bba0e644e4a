//! Names in other scripts, as Python's idna reads them: it has the tables of IDNA 2008, and we derive
//! them from the categories of Unicode.

use std::fmt::Write as _;

use strongroom::domain::san::San;
use tempfile::NamedTempFile;

use crate::python;

/// Of the planes that have letters; private use, and what is left of them, has none.
const CODE_POINTS: std::ops::RangeInclusive<char> = '\u{80}'..='\u{3ffff}';

/// What the rules of RFC 5892 and RFC 5893 speak of, and some of each script that they name.
const IN_CONTEXT: &[char] = &[
    'a', 'l', '1', '-', '·', 'ü', 'ß', 'ς', 'α', '\u{375}', 'א', '\u{5f3}', '\u{5f4}', 'ب', '\u{660}',
    '\u{6f0}', '\u{640}', '\u{200c}', '\u{200d}', 'क', '\u{94d}', '\u{301}', '・', 'カ', 'ひ', '中', '가',
    '☃',
];

#[test]
fn every_code_point_by_itself_is_taken_as_idna_takes_it() {
    assert_same_as_idna(CODE_POINTS.map(String::from).collect());
}

#[test]
fn code_points_in_context_are_taken_as_idna_takes_them() {
    let mut labels = Vec::new();
    for first in IN_CONTEXT {
        for second in IN_CONTEXT {
            for third in IN_CONTEXT {
                labels.push(String::from_iter([first, second, third]));
            }
            labels.push(String::from_iter([first, second]));
            labels.push(String::from_iter([first, &'ü', &'-', &'-', second]));
        }
    }
    assert_same_as_idna(labels);
}

#[track_caller]
fn assert_same_as_idna(labels: Vec<String>) {
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), labels.join("\n")).unwrap();
    let printed = python::run(include_str!("idna/encode.py"), file.path().to_str().unwrap());
    let theirs: Vec<&str> = printed.strip_suffix('\n').unwrap().split('\n').collect();
    let mut differ = String::new();
    let mut taken = 0;
    assert_eq!(labels.len(), theirs.len());
    for (label, theirs) in labels.iter().zip(&theirs).filter(|(_, theirs)| **theirs != "unknown") {
        let ours = ours(label);
        taken += usize::from(!theirs.is_empty());
        if ours != *theirs {
            writeln!(differ, "{} {label}: {ours:?}, idna: {theirs:?}", label.escape_unicode()).unwrap();
        }
    }
    assert!(taken > 1000, "{taken}");
    assert!(differ.is_empty(), "{} differ\n{differ}", differ.lines().count());
}

fn ours(label: &str) -> String {
    let san: Result<San, _> = format!("DNS:{label}.example").parse();
    san.map_or_else(|_| String::new(), |san| san.value().trim_end_matches(".example").to_owned())
}
