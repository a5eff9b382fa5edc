//! Which IPv4 addresses are certainly on no list: those whose bit is set in no table's sieve of bits
//! (`amagasa.detect.indicators.table`), and which lie in no sixteenth of addresses that prefixes and single patterns
//! speak of.

const std = @import("std");

pub const max_tables = 64;
const max_address = 15;
const absent_bits = 12;
const n_absent = 1 << absent_bits;
/// A bit for the first two octets of an address.
pub const sixteens_bytes = 8192;

/// A table's sieve of bits, which the caller keeps alive: it begins with the CRC-32 so far, and the highest bits of a
/// key tell the place of its bit.
pub const Bits = extern struct { bits: [*]const u8, n_bytes: u64, seed: u32, shift: u32 };

pub const Listed = struct {
    is_known: bool = false,
    sixteens: [sixteens_bytes]u8 = @splat(0),
    tables: [max_tables]Bits = undefined,
    n_tables: usize = 0,
    /// Addresses that were found on no list, as they are written: the clients of a log come again and again.
    absent: [n_absent]u128 = @splat(0),

    /// False where there are too many tables or one does not fit: then nothing is certain.
    pub fn set(self: *Listed, sixteens: []const u8, tables: []const Bits) bool {
        self.is_known = false;
        self.absent = @splat(0);
        if (sixteens.len != sixteens_bytes or tables.len > max_tables) return false;
        for (tables, 0..) |table, i| {
            if (table.shift > 31 or table.n_bytes < (@as(u64, 1) << @intCast(32 - table.shift)) / 8) return false;
            self.tables[i] = table;
        }
        @memcpy(&self.sixteens, sixteens);
        self.n_tables = tables.len;
        self.is_known = true;
        return true;
    }

    /// Whether this is an address, written as everybody writes it, that no list holds. Of anything else nothing is said.
    pub fn lacks(self: *Listed, text: []const u8) bool {
        if (!self.is_known or text.len > max_address) return false;
        var written: [16]u8 = @splat(0);
        @memcpy(written[0..text.len], text);
        const address = std.mem.readInt(u128, &written, .little);
        const low: u64 = @truncate(address);
        const high: u64 = @truncate(address >> 64);
        const place = &self.absent[((low ^ high *% 0x9E3779B97F4A7C15) *% 0xC2B2AE3D27D4EB4F) >> (64 - absent_bits)];
        if (place.* == address and address != 0) return true;
        if (!self.isAbsent(text)) return false;
        place.* = address;
        return true;
    }

    fn isAbsent(self: *const Listed, text: []const u8) bool {
        const first_two = firstTwo(text) orelse return false;
        var key: u32 = 0;
        if (self.sixteens[first_two >> 3] >> @intCast(first_two & 7) & 1 != 0) return false;
        for (self.tables[0..self.n_tables], 0..) |table, i| {
            if (i == 0 or table.seed != self.tables[i - 1].seed) key = keyOf(table.seed, text);
            const bit = key >> @intCast(table.shift);
            if (table.bits[bit >> 3] >> @intCast(bit & 7) & 1 != 0) return false;
        }
        return true;
    }
};

/// The first two of four decimal octets without leading noughts.
fn firstTwo(text: []const u8) ?u16 {
    if (text.len < 7) return null;
    var octets: [4]u16 = @splat(0);
    var n: usize = 0;
    var digits: usize = 0;
    for (text) |byte| switch (byte) {
        '0'...'9' => {
            if (digits == 3 or (digits > 0 and octets[n] == 0)) return null;
            octets[n] = octets[n] * 10 + (byte - '0');
            digits += 1;
            if (octets[n] > 255) return null;
        },
        '.' => {
            if (digits == 0 or n == 3) return null;
            n += 1;
            digits = 0;
        },
        else => return null,
    };
    if (n != 3 or digits == 0) return null;
    return octets[0] << 8 | octets[1];
}

const polynomial = 0xEDB88320;
const steps: [256]u32 = blk: {
    @setEvalBranchQuota(10_000);
    var made: [256]u32 = undefined;
    for (0..256) |at| {
        var step: u32 = at;
        for (0..8) |_| step = if (step & 1 == 1) step >> 1 ^ polynomial else step >> 1;
        made[at] = step;
    }
    break :blk made;
};

/// CRC-32 as zlib goes on with it.
fn keyOf(seed: u32, text: []const u8) u32 {
    var crc = ~seed;
    for (text) |byte| crc = crc >> 8 ^ steps[(crc ^ byte) & 0xFF];
    return ~crc;
}
