//! What the module knows between two calls: the rules as last read, how often each has been met, and
//! the log.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use crate::rules::{self, BadRule, Rule};

/// The state of this process, with the files that the environment names.
pub static STATE: LazyLock<State> = LazyLock::new(|| {
    let file = |variable| std::env::var_os(variable).map(PathBuf::from);
    State {
        rules: RuleFile { path: file("CHAOS_MODULE_RULES"), read: Mutex::default() },
        counters: file("CHAOS_MODULE_STATE").map_or_else(Counters::default, Counters::InFile),
        log: file("CHAOS_MODULE_LOG"),
    }
});

/// Rules, counters and log of one process. Any thread may use it.
pub struct State {
    rules: RuleFile,
    counters: Counters,
    log: Option<PathBuf>,
}

/// A rule that a call has met.
#[derive(Debug)]
pub struct Due {
    /// The rule.
    pub rule: Rule,
    /// The call's number among those that the rule has counted, from 1.
    pub call: u64,
}

/// The rules cannot be applied.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The rule file has a line that is not a rule.
    #[error("{path}: {bad}", path = .path.display())]
    Rule {
        /// The rule file.
        path: PathBuf,
        /// Where and why.
        bad: BadRule,
    },
    /// A file cannot be read or written.
    #[error("{path}: {error}", path = .path.display())]
    File {
        /// The rule file or the state file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

impl State {
    /// Counts a call of `function` and answers the rules that are for it, in the order of the file.
    ///
    /// # Errors
    /// The rule file or the state file cannot be read, or has a bad line.
    pub fn count(&self, function: &str) -> Result<Vec<Due>, Error> {
        let rules = self.rules.current()?;
        let of_function: Vec<&Rule> = rules.iter().filter(|rule| rule.function == function).collect();
        if of_function.is_empty() {
            return Ok(Vec::new());
        }
        let calls = self.counters.advance(&of_function)?;
        let numbered = of_function.into_iter().zip(calls);
        Ok(numbered
            .filter(|(rule, call)| rule.when.includes(*call))
            .map(|(rule, call)| Due { rule: rule.clone(), call })
            .collect())
    }

    /// Appends a fault to the log: function, number of the call, action.
    pub fn log_fault(&self, due: &Due) {
        self.log(&format!("{} {} {}", due.rule.function, due.call, due.rule.action_text));
    }

    /// Tells the log and stderr why the module does not work.
    pub fn log_trouble(&self, trouble: &dyn std::error::Error) {
        let line = format!("error: {trouble}");
        eprintln!("chaos module: {line}");
        self.log(&line);
    }

    fn log(&self, line: &str) {
        let Some(path) = &self.log else { return };
        let append = || {
            let mut file = File::options().append(true).create(true).open(path)?;
            // One write, so that lines of several threads do not mix.
            file.write_all(format!("{line}\n").as_bytes())
        };
        if let Err(error) = append() {
            eprintln!("chaos module: {}: {error}", path.display());
        }
    }
}

/// The rule file, parsed again when it has changed.
struct RuleFile {
    path: Option<PathBuf>,
    read: Mutex<(Option<Version>, Arc<[Rule]>)>,
}

/// Tells one content of a file from the next: inode, size in bytes, and the times of the last change
/// of content and of inode in seconds and nanoseconds.
type Version = (u64, u64, (i64, i64), (i64, i64));

impl RuleFile {
    fn current(&self) -> Result<Arc<[Rule]>, Error> {
        let Some(path) = &self.path else { return Ok(Arc::default()) };
        let metadata = if_there(fs::metadata(path)).map_err(in_file(path))?;
        let version = metadata
            .map(|of| (of.ino(), of.size(), (of.mtime(), of.mtime_nsec()), (of.ctime(), of.ctime_nsec())));
        let mut read = lock(&self.read);
        if read.0 != version {
            let text = if_there(fs::read_to_string(path)).map_err(in_file(path))?.unwrap_or_default();
            let rules = rules::parse(&text).map_err(|bad| Error::Rule { path: path.clone(), bad })?;
            *read = (version, rules.into());
        }
        Ok(Arc::clone(&read.1))
    }
}

/// `None` when there is no such file.
fn if_there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}

/// How often each rule has been met, by the rule's text.
enum Counters {
    InProcess(Mutex<Counts>),
    InFile(PathBuf),
}

type Counts = BTreeMap<String, u64>;

impl Default for Counters {
    fn default() -> Self {
        Self::InProcess(Mutex::default())
    }
}

impl Counters {
    /// Adds a call to each of the rules and answers its number for each.
    fn advance(&self, rules: &[&Rule]) -> Result<Vec<u64>, Error> {
        match self {
            Self::InProcess(counts) => Ok(advance(&mut lock(counts), rules)),
            Self::InFile(path) => advance_in_file(path, rules).map_err(in_file(path)),
        }
    }
}

fn advance(counts: &mut Counts, rules: &[&Rule]) -> Vec<u64> {
    let next = |rule: &&Rule| {
        let count = counts.entry(rule.text.clone()).or_default();
        *count += 1;
        *count
    };
    rules.iter().map(next).collect()
}

/// The file is locked while it is open, so that a worker and its successor cannot count one call for two.
fn advance_in_file(path: &Path, rules: &[&Rule]) -> io::Result<Vec<u64>> {
    let mut file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
    file.lock()?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    let mut counts = read_counts(&text)?;
    let calls = advance(&mut counts, rules);
    // The text never becomes shorter and is less than a page, so one write replaces it: SIGKILL leaves
    // the old or the new.
    file.write_all_at(write_counts(&counts).as_bytes(), 0)?;
    Ok(calls)
}

fn read_counts(text: &str) -> io::Result<Counts> {
    let entry = |line: &str| {
        let (count, rule) = line.split_once(' ')?;
        Some((rule.to_owned(), count.parse().ok()?))
    };
    text.lines()
        .map(|line| entry(line).ok_or_else(|| io::Error::other(format!("not a counter: `{line}`"))))
        .collect()
}

fn write_counts(counts: &Counts) -> String {
    counts.iter().map(|(rule, count)| format!("{count:020} {rule}\n")).collect()
}

fn in_file(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    |error| Error::File { path, error }
}

/// A thread that panicked while it held the lock has left whole values behind.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(rules: Option<PathBuf>, counters: Counters) -> State {
        State { rules: RuleFile { path: rules, read: Mutex::default() }, counters, log: None }
    }

    fn calls(state: &State, function: &str) -> Vec<u64> {
        state.count(function).unwrap().iter().map(|due| due.call).collect()
    }

    #[test]
    fn without_a_rule_file_nothing_is_due() {
        let directory = tempfile::tempdir().unwrap();
        assert!(calls(&state(None, Counters::default()), "C_Sign").is_empty());
        let absent = directory.path().join("rules");
        assert!(calls(&state(Some(absent), Counters::default()), "C_Sign").is_empty());
    }

    #[test]
    fn rules_are_read_again_when_the_file_changes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rules");
        let state = state(Some(path.clone()), Counters::default());
        fs::write(&path, "C_Sign every hang\nC_Login every hang").unwrap();
        assert_eq!(calls(&state, "C_Sign"), [1]);
        assert_eq!(calls(&state, "C_Sign"), [2]);
        assert_eq!(calls(&state, "C_Login"), [1]);

        fs::write(&path, "C_Sign every hang\nC_Sign nth=2 hang").unwrap();
        assert_eq!(calls(&state, "C_Sign"), [3]);
        assert_eq!(calls(&state, "C_Sign"), [4, 2]);

        fs::write(&path, "C_Sign every").unwrap();
        let refusal = state.count("C_Login").unwrap_err().to_string();
        assert!(refusal.ends_with("rules: line 1: `<function> <when> <action>` expected, 2 words found"));

        fs::remove_file(&path).unwrap();
        assert!(calls(&state, "C_Sign").is_empty());
    }

    #[test]
    fn counters_in_a_file_outlive_the_process_and_count_every_thread() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("counters");
        let rules = rules::parse("C_Sign every hang\nC_Sign nth=9 hang # another").unwrap();
        let rules: Vec<&Rule> = rules.iter().collect();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..25 {
                        Counters::InFile(path.clone()).advance(&rules).unwrap();
                    }
                });
            }
        });
        assert_eq!(Counters::InFile(path.clone()).advance(&rules).unwrap(), [101, 101]);

        fs::write(&path, "many C_Sign every hang\n").unwrap();
        assert!(Counters::InFile(path).advance(&rules).is_err());
    }
}
