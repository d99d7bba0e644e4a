//! Mailboxes: ASCII ones are an rfc822Name (RFC 5280 section 4.2.1.6); those with another script
//! before the `@` are a SmtpUTF8Mailbox (RFC 9598). In both the domain is in A-labels.

use super::super::invalid::Invalid;
use super::host::host_name;
use super::{of_ascii_form, refused, shifted, within};

pub(super) fn email_address(text: &str) -> Result<String, Invalid> {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return Err(refused(0, "an e-mail address has an `@`"));
    };
    if let Some((at, c)) = local.char_indices().find(|(_, c)| !allowed_before_at(*c)) {
        let reason =
            format!("`{}` is not allowed before the `@`; quotes are not supported", c.escape_debug());
        return Err(refused(at, reason));
    }
    if local.split('.').any(str::is_empty) {
        return Err(refused(0, "before the `@`: no dot at the beginning or the end, nor two in a row"));
    }
    within(local, 64, "the part before the `@`")?;
    let domain = host_name(domain).map_err(|invalid| shifted(invalid, local.len() + 1))?;
    let address = format!("{local}@{domain}");
    // RFC 5321 section 4.5.3.1.3: a path has 256 octets, two of which are angle brackets.
    within(&address, 254, "an e-mail address").map_err(|invalid| of_ascii_form(invalid, text))?;
    Ok(address)
}

/// RFC 5322 section 3.2.3, atext, and what RFC 6531 section 3.3 adds to it: all that is not ASCII.
/// Of that nothing that cannot be seen; U+FEFF is barred by RFC 9598 section 3.
fn allowed_before_at(c: char) -> bool {
    match c {
        '.' => true,
        c if c.is_ascii() => c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c),
        c => !c.is_control() && !c.is_whitespace() && c != '\u{feff}',
    }
}
