//! Points on edwards25519 that are none, or that are worthless as keys. The verifier takes any 32
//! bytes for a key and sees only at the first signature what they are.

use std::sync::LazyLock;

use num_bigint::BigUint;

use super::Weakness;

/// The prime of the field: 2^255 - 19.
static P: LazyLock<BigUint> = LazyLock::new(|| (BigUint::from(1_u32) << 255) - 19_u32);

/// d of RFC 8032 section 5.1: -121665/121666.
static D: LazyLock<BigUint> = LazyLock::new(|| {
    let inverse = BigUint::from(121_666_u32).modpow(&(&*P - 2_u32), &P);
    (&*P - 121_665_u32) * inverse % &*P
});

/// y of a point of order 8, little endian; of the other points of order 8 it is this or its negative.
const ORDER_8_Y: [u8; 32] = *b"\x26\xe8\x95\x8f\xc2\xb2\x27\xb0\x45\xc3\xf4\x89\xf2\xef\x98\xf0\
    \xd5\xdf\xac\x05\xd3\xc6\x33\x39\xb1\x38\x02\x88\x6d\x53\xfc\x05";

/// Checks a point as RFC 8032 section 5.1.2 encodes it: y, little endian, and the sign of x in the
/// highest bit.
pub(super) fn check(point: &[u8]) -> Result<(), Weakness> {
    let mut y = BigUint::from_bytes_le(point);
    y.set_bit(255, false);
    if y >= *P || !is_on_curve(&y) {
        return Err(Weakness::OffCurve);
    }
    if has_small_order(&y) { Err(Weakness::SmallOrder) } else { Ok(()) }
}

/// Whether an x exists: x^2 = u/v with u = y^2 - 1 and v = d y^2 + 1 (RFC 8032 section 5.1.3). A
/// quotient is a square exactly when the product is, which Euler's criterion tells.
fn is_on_curve(y: &BigUint) -> bool {
    let square = y * y % &*P;
    let u = &square + &*P - 1_u32;
    let v = &*D * square + 1_u32;
    let criterion = (u * v).modpow(&((&*P - 1_u32) >> 1), &P);
    criterion <= BigUint::from(1_u32)
}

/// The eight points whose order divides 8 have five values of y between them.
fn has_small_order(y: &BigUint) -> bool {
    let order_8 = BigUint::from_bytes_le(&ORDER_8_Y);
    let [zero, one] = [0_u32, 1].map(BigUint::from);
    [&*P - 1_u32, &*P - &order_8, zero, one, order_8].contains(y)
}
