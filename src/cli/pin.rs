//! PINs from a file, an open descriptor or a prompt.

use std::path::Path;

use zeroize::Zeroizing;

use super::report::Failure;

/// Reads a PIN from the first source that is given; asks on the terminal when none is.
///
/// # Errors
/// The source cannot be read or is empty, or there is no terminal to ask on.
pub fn read(file: Option<&Path>, descriptor: Option<u32>, what: &str) -> Result<Zeroizing<String>, Failure> {
    let pin = match (file, descriptor) {
        (Some(path), _) => from_file(path, what)?,
        (None, Some(number)) => from_file(Path::new(&format!("/proc/self/fd/{number}")), what)?,
        (None, None) => ask(what)?,
    };
    if pin.is_empty() {
        return Err(Failure::Refused(format!("the {what} is empty")));
    }
    Ok(pin)
}

fn from_file(path: &Path, what: &str) -> Result<Zeroizing<String>, Failure> {
    let text = std::fs::read_to_string(path).map(Zeroizing::new).map_err(|error| {
        Failure::Broken(format!("cannot read the {what} from {}: {error}", path.display()))
    })?;
    Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// Twice, since it cannot be seen.
fn ask(what: &str) -> Result<Zeroizing<String>, Failure> {
    let prompt = |text: String| {
        rpassword::prompt_password(text)
            .map(Zeroizing::new)
            .map_err(|error| Failure::Broken(format!("cannot ask for the {what} on the terminal: {error}")))
    };
    let first = prompt(format!("{what}: "))?;
    if *prompt(format!("{what} again: "))? != *first {
        return Err(Failure::Refused(format!("the two entries of the {what} differ")));
    }
    Ok(first)
}
