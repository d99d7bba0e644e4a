//! How a command ends: data on stdout, as text for people or JSON for machines; talk on stderr; an
//! exit code of few.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde::Serialize;
use serde_json::json;

use crate::api;

/// How a command failed: decides the exit code.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Refused as it is: change the request.
    #[error("{0}")]
    Refused(String),
    /// Usage, configuration, or a failure that should not be.
    #[error("{0}")]
    Broken(String),
    /// Not available now: try again.
    #[error("{0}")]
    Unavailable(String),
    /// Refused as it is, with more to tell to machines than the text.
    #[error("{text}")]
    RefusedWith {
        /// For people.
        text: String,
        /// For machines.
        document: serde_json::Value,
    },
    /// Told by the service.
    #[error("{}", text_of(.0))]
    Problem(Box<api::Problem>),
}

impl Failure {
    /// Usage, configuration, or a failure that should not be.
    pub fn broken(error: impl Display) -> Self {
        Self::Broken(error.to_string())
    }

    fn exit_code(&self) -> u8 {
        match self {
            Self::Refused(_) | Self::RefusedWith { .. } => 1,
            Self::Broken(_) => 2,
            Self::Unavailable(_) => 3,
            Self::Problem(problem) => match problem.status {
                429 | 503 | 504 => 3,
                400..=499 => 1,
                _ => 2,
            },
        }
    }

    fn document(&self) -> serde_json::Value {
        match self {
            Self::Problem(problem) => json!(problem),
            Self::RefusedWith { document, .. } => document.clone(),
            Self::Refused(text) | Self::Broken(text) | Self::Unavailable(text) => json!({ "error": text }),
        }
    }
}

/// Prints results.
pub struct Report {
    json: bool,
}

impl Report {
    /// For people, or for machines.
    pub fn new(json: bool) -> Self {
        Self { json }
    }

    /// Prints a result: as JSON, or as the text that `text` makes of it.
    ///
    /// # Errors
    /// Standard output cannot be written, other than by a reader that has enough.
    pub fn print<T: Serialize>(&self, result: &T, text: impl FnOnce(&T) -> String) -> Result<(), Failure> {
        if self.json {
            let json = serde_json::to_string_pretty(result).map_err(Failure::broken)?;
            return self.raw(format!("{json}\n").as_bytes());
        }
        let mut text = text(result);
        if !text.ends_with('\n') {
            text.push('\n');
        }
        self.raw(text.as_bytes())
    }

    /// Prints bytes as they are.
    ///
    /// # Errors
    /// As for [`Report::print`].
    pub fn raw(&self, bytes: &[u8]) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
            // `strongroom csr list | head` is no failure.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Err(error) => Err(Failure::Broken(format!("cannot write the result: {error}"))),
            Ok(()) => Ok(()),
        }
    }

    /// Prints a failure on stderr and gives the exit code.
    pub fn failure(&self, failure: &Failure) -> ExitCode {
        if self.json {
            say(format_args!("{:#}", failure.document()));
        } else {
            say(format_args!("error: {failure}"));
        }
        ExitCode::from(failure.exit_code())
    }
}

fn text_of(problem: &api::Problem) -> String {
    let csr = problem.csr.as_ref().map(|handle| format!("\nsigning request {handle}"));
    format!("{} ({}){}", problem.detail, problem.code, csr.unwrap_or_default())
}

/// Says something on stderr.
pub fn say(text: impl Display) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// A table with a heading, for people.
pub fn table<const N: usize>(heading: [&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(heading);
    for row in rows {
        let lines = |cell: String| cell.lines().map(visible).collect::<Vec<_>>().join("\n");
        table.add_row(row.map(lines));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// What somebody else wrote, without what moves a terminal's cursor or turns its text around.
pub fn visible(text: &str) -> String {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let escaped = |c: char| if hidden(c) { c.escape_unicode().to_string() } else { c.to_string() };
    text.chars().map(escaped).collect()
}

/// Names and values below each other; a value that is absent is left out.
pub fn facts<'a>(pairs: impl IntoIterator<Item = (&'a str, Option<String>)>) -> String {
    let present: Vec<_> = pairs.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let width = present.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    present.iter().map(|(name, value)| format!("{name:width$}  {}\n", visible(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_shown_moves_the_cursor_or_turns_the_text_around() {
        let name = "CN=a\u{202e}moc\u{1b}[2J\nhandle  other";
        let shown = "CN=a\\u{202e}moc\\u{1b}[2J\\u{a}handle  other";
        assert_eq!(facts([("subject", Some(name.to_owned()))]), format!("subject  {shown}\n"));
        let text = table(["SUBJECT"], [[name.to_owned()]].into_iter());
        assert!(text.contains("CN=a\\u{202e}moc\\u{1b}[2J\n"), "{text}");
    }
}
