def test_x(db):
    db.write(lambda c: c.exec_driver_sql("insert into memory_stores values('memstore_1','a','b','c')").rowcount)
    with db.read() as c:
        assert c.exec_driver_sql("select * from memory_stores").fetchall() == [('memstore_1','a','b','c')]
