//! Classes of values: all values of a field for which the same atoms hold are one class. Bounded; cleared when full.

const std = @import("std");
const hashing = @import("hash.zig");

const Allocator = std.mem.Allocator;
const unset = std.math.maxInt(u32);

pub const Classes = struct {
    const Class = struct { hash: u128, from: u32, to: u32 };
    const max_classes = 1 << 17;
    const max_codes = 1 << 21;
    const table_size = max_classes * 2;

    classes: []Class,
    n_classes: u32 = 0,
    codes: []u32,
    n_codes: u32 = 0,
    table: []u32,

    pub fn init(gpa: Allocator) !Classes {
        const self = Classes{
            .classes = try gpa.alloc(Class, max_classes),
            .codes = try gpa.alloc(u32, max_codes),
            .table = try gpa.alloc(u32, table_size),
        };
        @memset(self.table, unset);
        return self;
    }

    pub fn clear(self: *Classes) void {
        @memset(self.table, unset);
        self.n_classes = 0;
        self.n_codes = 0;
    }

    pub fn codesOf(self: *const Classes, class: u32) []const u32 {
        const found = self.classes[class];
        return self.codes[found.from..found.to];
    }

    /// The class of these codes, which are in order and none twice.
    pub fn intern(self: *Classes, key: *const hashing.Key, codes: []const u32) error{Full}!u32 {
        const hash = key.hash(std.math.maxInt(u64), std.mem.sliceAsBytes(codes));
        var place: usize = @as(usize, @truncate(hash)) & (table_size - 1);
        while (self.table[place] != unset) : (place = (place + 1) & (table_size - 1)) {
            if (self.classes[self.table[place]].hash == hash) return self.table[place];
        }
        if (self.n_classes == max_classes or codes.len > max_codes - self.n_codes) return error.Full;
        const class = self.n_classes;
        const to: u32 = self.n_codes + @as(u32, @intCast(codes.len));
        @memcpy(self.codes[self.n_codes..to], codes);
        self.classes[class] = .{ .hash = hash, .from = self.n_codes, .to = to };
        self.table[place] = class;
        self.n_classes += 1;
        self.n_codes = to;
        return class;
    }
};
