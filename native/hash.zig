//! A keyed hash of byte strings to 128 bits: NH of UMAC (Krovetz, RFC 4418 section 5.2) with words of 64 bits, two levels.
//!
//! Two different strings collide with a probability of at most 2^-63 over the choice of the key, whatever the strings
//! are: an attacker who does not see the key cannot prepare two values that are taken for one.

const std = @import("std");

/// Bytes of one block of the first level.
const block_bytes = 1024;
const first_words = block_bytes / 8;
/// Longest string; longer ones are not hashed.
pub const max_bytes = 1 << 20;
const second_words = 2 * (max_bytes / block_bytes);
/// Random words that the key needs.
pub const key_words = first_words + second_words + 2;

pub const Hash = u128;

pub const Key = struct {
    words: [key_words]u64,

    /// `tag` keeps strings of different meaning apart. `bytes.len` is at most `max_bytes`.
    pub fn hash(self: *const Key, tag: u64, bytes: []const u8) Hash {
        const mark = product(bytes.len +% self.words[key_words - 2], tag +% self.words[key_words - 1]);
        if (bytes.len <= block_bytes) return mark +% nh(self.words[0..first_words], bytes);
        var sum = mark;
        var at: usize = 0;
        var next: usize = first_words;
        while (at < bytes.len) : (next += 2) {
            const end = @min(at + block_bytes, bytes.len);
            const one = nh(self.words[0..first_words], bytes[at..end]);
            const low: u64 = @truncate(one);
            const high: u64 = @truncate(one >> 64);
            sum +%= product(low +% self.words[next], high +% self.words[next + 1]);
            at = end;
        }
        return sum;
    }
};

fn product(a: u64, b: u64) u128 {
    return @as(u128, a) * b;
}

fn nh(key: []const u64, bytes: []const u8) u128 {
    var sum: u128 = 0;
    var at: usize = 0;
    var next: usize = 0;
    while (at + 16 <= bytes.len) : (at += 16) {
        const x = std.mem.readInt(u64, bytes[at..][0..8], .little);
        const y = std.mem.readInt(u64, bytes[at + 8 ..][0..8], .little);
        sum +%= product(x +% key[next], y +% key[next + 1]);
        next += 2;
    }
    if (at < bytes.len) {
        var last = @as([16]u8, @splat(0));
        @memcpy(last[0 .. bytes.len - at], bytes[at..]);
        const x = std.mem.readInt(u64, last[0..8], .little);
        const y = std.mem.readInt(u64, last[8..16], .little);
        sum +%= product(x +% key[next], y +% key[next + 1]);
    }
    return sum;
}
